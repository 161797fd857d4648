/** Paths of source files: parts between slashes, on every platform. The host decides what they mean. */

/** Without `.`, `..` (where something precedes it) and doubled slashes. */
export function normalizePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
    else parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}

/** `path` as seen from the folder that `from` is in. */
export function besideFile(from: string, path: string): string {
  return normalizePath(from.slice(0, from.lastIndexOf("/") + 1) + path);
}

export function insideFolder(folder: string, path: string): string {
  return normalizePath(folder === "" ? path : `${folder}/${path}`);
}

/** The name that a file's nodes carry: its path without the slash that makes it absolute. */
export function displayNameOf(path: string): string {
  return normalizePath(path).replace(/^\//, "");
}
