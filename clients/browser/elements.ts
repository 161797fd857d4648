/** The element of the page with an id. The page and its program are served together: one that is not there is a mistake of ours. */
export const element = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} with the id ${id}`);
};

/** An element with a class and text. */
export const made = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (string | Node)[]
): HTMLElementTagNameMap[K] => {
  const one = document.createElement(tag);
  one.className = className;
  one.append(...children);
  return one;
};

/** What is shown in a list that follows what happens: the end of it, unless somebody has scrolled back to read. */
export const appendFollowing = (list: HTMLElement, item: HTMLElement, most: number): void => {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild?.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
};

/** The text of an error, for people. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
