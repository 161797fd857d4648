/** What JavaScript or TypeScript does not take as the name of a variable at the top of a module. */
const reservedVariables = new Set(
  (
    "abstract any arguments as async await bigint boolean break case catch class const continue debugger declare default " +
    "delete do else enum eval export exports extends false finally for function get if implements import in instanceof " +
    "interface is keyof let module namespace never new null number object of package private protected public readonly " +
    "require return set static string super switch symbol this throw true try type typeof undefined unknown using var " +
    "void while with yield"
  ).split(" "),
);

/** What TypeScript does not take as the name of a type. */
const reservedTypes = new Set(
  "any bigint boolean never number object string symbol undefined unknown void null true false".split(" "),
);

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

const isIdentifier = (name: string): boolean => identifier.test(name);

/** Whether `const name` may stand at the top of a module. */
export const isVariableName = (name: string): boolean => isIdentifier(name) && !reservedVariables.has(name);

/** A name as that of a type or namespace. */
export const typeName = (name: string): string => {
  const safe = isIdentifier(name) ? name : `_${name.replace(/[^A-Za-z0-9_]/g, "_")}`;
  return reservedTypes.has(safe) || reservedVariables.has(safe) ? `${safe}_` : safe;
};

/** A name as that of a member. */
export const memberName = (name: string): string => (isIdentifier(name) ? name : JSON.stringify(name));

/** `evaluate` as `Evaluate`. */
export const capitalized = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1);

export const hexId = (id: bigint): string => `0x${id.toString(16).padStart(16, "0")}`;

/** A name that nobody has yet: with underscores behind it where need be. */
export const unused = (name: string, taken: ReadonlySet<string>): string => {
  let free = name;
  while (taken.has(free)) free += "_";
  return free;
};
