import type { Node, RequestedFile } from "../schema/node.ts";

/** The schemas that come with the library: so does the code that is generated from them. */
const standardFolders = ["/capnp/", "/capstan/"];

/** How one generated module is imported by another. Absolute imports lead to what lies below the same output folder. */
export const modulePath = (from: RequestedFile, to: Node): string => {
  const { filename } = from;
  const written = from.imports.find(({ id }) => id === to.id)?.name;
  const isStandard = (path: string): boolean => standardFolders.some((folder) => path.startsWith(folder));
  if (written !== undefined && !written.startsWith("/")) return written.startsWith(".") ? written : `./${written}`;
  const absolute = written ?? `/${to.displayName.replace(/^\/+/, "")}`;
  if (isStandard(absolute) && !isStandard(`/${filename}`)) return `capstan${absolute}`;
  return relative(filename, absolute.slice(1));
};

/** The path from a file to another one, both from the same folder. */
const relative = (from: string, to: string): string => {
  const folder = from.split("/").slice(0, -1);
  const target = to.split("/");
  let shared = 0;
  while (shared < folder.length && shared < target.length - 1 && folder[shared] === target[shared]) shared++;
  const up = folder.slice(shared).map(() => "..");
  const path = [...up, ...target.slice(shared)].join("/");
  return path.startsWith("..") ? path : `./${path}`;
};
