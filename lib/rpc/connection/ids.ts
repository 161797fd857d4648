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
