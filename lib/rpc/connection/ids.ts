declare const side: unique symbol;

/** A call or bootstrap of ours, by the number that we chose. */
export type QuestionId = number & { readonly [side]: "question" };
/** A call or bootstrap of the peer's, by the number that the peer chose. */
export type AnswerId = number & { readonly [side]: "answer" };
/** A capability that we host or promise, by the number that we chose. */
export type ExportId = number & { readonly [side]: "export" };
/** A capability that the peer hosts or promises, by the number that the peer chose. */
export type ImportId = number & { readonly [side]: "import" };
/** An embargo of ours, by the number that we chose. */
export type EmbargoId = number & { readonly [side]: "embargo" };

/**
 * Questions for their pipeline only have ids from here on, in a table of their own: whether a Return will come for one is not
 * known, so an id is not used again before all others were. (Ids from 2^30 on are left to answers of third parties.)
 */
export const firstPipelineId = 2 ** 31;

export const isPipelineId = (id: number): boolean => id >= firstPipelineId;
