import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.ts";

/** One line that a reader types. */
export interface Command {
  readonly line: string;
  /** What the document says that it prints: the output of `$ line`, or the remark behind `line    # remark`. */
  readonly expected: string | undefined;
  /** It goes on, and is left alone in a terminal of its own. */
  readonly isServer: boolean;
}

/** What a document asks its reader to do: to write a file, or to type something. */
export type Part = { readonly name: string; readonly code: string } | { readonly commands: readonly Command[] };

const afterDollar = (code: string): Command[] =>
  code
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const end = step.indexOf("\n");
      return { line: step.slice(0, end), expected: step.slice(end + 1), isServer: false };
    });

const withRemarks = (code: string): Command[] =>
  code
    .trimEnd()
    .split("\n")
    .map((text) => {
      const [, line = text, remark] = /^(.*?) +# (.*)$/.exec(text) ?? [];
      // Other remarks say what a command is for.
      const says = remark !== undefined && /^node /.test(line) ? `${remark}\n` : undefined;
      return { line, expected: says, isServer: says?.startsWith("listening on ") ?? false };
    });

/**
 * What a chapter asks for, in its order: "`name`:" before a block of code is a file, and a block of shell is typed.
 *
 * @param chapters The first and the one that is not read any more, by their headings. Default: the whole document.
 */
export async function readGuide(path: string, chapters: { from?: string; to?: string } = {}): Promise<Part[]> {
  const text = await readFile(join(repositoryRoot, path), "utf8");
  const at = (heading: string | undefined, otherwise: number): number => {
    if (heading === undefined) return otherwise;
    const index = text.indexOf(`\n${heading}\n`);
    if (index < 0) throw new Error(`${path} has no chapter "${heading}"`);
    return index;
  };
  const guide = text.slice(at(chapters.from, 0), at(chapters.to, text.length));
  return [...guide.matchAll(/^(?:`([^`\n]+)`:\n\n)?```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, name, language, code]): Part[] => {
      if (name !== undefined) return [{ name, code: code! }];
      if (language !== "sh") return [];
      return [{ commands: code!.startsWith("$ ") ? afterDollar(code!) : withRemarks(code!) }];
    },
  );
}
