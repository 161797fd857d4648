/** A comment of a schema as TSDoc: no lines where there is no comment. Tags such as `@deprecated` stay what they are. */
export const docComment = (text: string): string[] => {
  const lines = text
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.replace(unprintable, " ").replaceAll("*/", "*\\/").trimEnd());
  while (lines.length > 0 && lines[lines.length - 1] === "") lines.pop();
  while (lines.length > 0 && lines[0] === "") lines.shift();
  if (lines.length === 0) return [];
  // The space behind each star keeps a slash at the start of a line from ending the comment.
  if (lines.length === 1) return [`/** ${lines[0]} */`];
  return ["/**", ...lines.map((line) => (line === "" ? " *" : ` * ${line}`)), " */"];
};

const unprintable = /[\p{Cc}\p{Cs}]/gu;
