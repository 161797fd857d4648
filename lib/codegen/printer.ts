/**
 * Text that fits into lines: a small version of Wadler's pretty printer. A group is laid out flat where it fits, otherwise
 * each of its lines breaks. What comes out is what the common formatters of TypeScript would make of it.
 */
export type Doc = string | readonly Doc[] | Line | Indent | Group | IfBreak;

interface Line {
  readonly kind: "line";
  readonly flat: "" | " ";
}

interface Indent {
  readonly kind: "indent";
  readonly content: Doc;
}

export interface Group {
  readonly kind: "group";
  readonly content: Doc;
  /** Whether it broke the last time that it was printed, for what depends on it. */
  broke: boolean;
}

interface IfBreak {
  readonly kind: "ifBreak";
  readonly broken: Doc;
  readonly flat: Doc;
  /** Undefined: the group around it. */
  readonly group: Group | undefined;
}

/** Nothing where its group is flat, else a new line. */
export const softLine: Doc = { kind: "line", flat: "" };
/** A space where its group is flat, else a new line. */
export const line: Doc = { kind: "line", flat: " " };

export const indent = (content: Doc): Doc => ({ kind: "indent", content });
export const group = (content: Doc): Group => ({ kind: "group", content, broke: false });
export const ifBreak = (broken: Doc, flat: Doc = "", of?: Group): Doc => ({
  kind: "ifBreak",
  broken,
  flat,
  group: of,
});

export const join = (separator: Doc, docs: readonly Doc[]): Doc[] =>
  docs.flatMap((doc, i) => (i === 0 ? [doc] : [separator, doc]));

const lineWidth = 120;
const step = 2;

interface Item {
  readonly doc: Doc;
  readonly depth: number;
  readonly flat: boolean;
}

/** Prints with every line but the first indented by `depth` levels. */
export const print = (doc: Doc, depth: number): string => {
  const stack: Item[] = [{ doc, depth, flat: false }];
  let text = "";
  let column = depth * step;
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { doc, depth, flat } = item;
    if (typeof doc === "string") {
      text += doc;
      column += doc.length;
    } else if (isList(doc)) {
      for (let i = doc.length - 1; i >= 0; i--) stack.push({ doc: doc[i] as Doc, depth, flat });
    } else if (doc.kind === "line") {
      if (flat) {
        text += doc.flat;
        column += doc.flat.length;
      } else {
        text += `\n${" ".repeat(depth * step)}`;
        column = depth * step;
      }
    } else if (doc.kind === "indent") stack.push({ doc: doc.content, depth: depth + 1, flat });
    else if (doc.kind === "group") {
      const inside = { doc: doc.content, depth, flat: true };
      doc.broke = !flat && !fits(inside, stack, lineWidth - column);
      stack.push({ ...inside, flat: !doc.broke });
    } else {
      const broken = doc.group === undefined ? !flat : doc.group.broke;
      stack.push({ doc: broken ? doc.broken : doc.flat, depth, flat });
    }
  }
  return text;
};

const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);

/** Whether everything up to the next place where a line may break has room. */
const fits = (first: Item, rest: readonly Item[], room: number): boolean => {
  const stack = [first];
  let next = rest.length;
  let left = room;
  while (left >= 0) {
    const item = stack.pop() ?? rest[--next];
    if (item === undefined) return true;
    const { doc, depth, flat } = item;
    if (typeof doc === "string") left -= doc.length;
    else if (isList(doc)) for (let i = doc.length - 1; i >= 0; i--) stack.push({ doc: doc[i] as Doc, depth, flat });
    else if (doc.kind === "line") {
      if (!flat) return true;
      left -= doc.flat.length;
    } else if (doc.kind === "ifBreak") {
      const broken = doc.group === undefined ? !flat : doc.group.broke;
      stack.push({ doc: broken ? doc.broken : doc.flat, depth, flat });
    } else stack.push({ doc: doc.content, depth, flat });
  }
  return false;
};
