import type { Annotation, Field, Node, SlotBody, SourceInfo, StructBody } from "../schema/node.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A node that is still being filled in. It becomes the finished node; nothing is copied. */
export type NodeDraft = Mutable<Node>;
export type StructDraft = Mutable<Omit<StructBody, "fields">> & { fields: FieldDraft[] };
export type FieldDraft = Mutable<Field>;
export type SlotDraft = Mutable<SlotBody>;
export type AnnotationDraft = Mutable<Annotation>;
export type SourceInfoDraft = Mutable<Omit<SourceInfo, "members">> & { members: { docComment: string }[] };

/** A node made along with another one: a group, or the struct of a method's parameters or results. */
export interface AuxiliaryNode {
  readonly node: NodeDraft;
  readonly sourceInfo: SourceInfoDraft;
}

export function structDraft(isGroup: boolean): StructDraft {
  return {
    which: "struct",
    dataWordCount: 0,
    pointerCount: 0,
    preferredListEncoding: "inlineComposite",
    isGroup,
    discriminantCount: 0,
    discriminantOffset: 0,
    fields: [],
  };
}

export function sourceInfoDraft(): SourceInfoDraft {
  return { id: 0n, docComment: "", members: [] };
}
