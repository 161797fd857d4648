import { CapnpError } from "../errors.ts";
import type { Annotation } from "./node.ts";

/** Id of the annotation `name` of /capstan/typescript.capnp. */
const nameId = 0xf484c469141ff118n;

interface Member {
  readonly name: string;
  readonly annotations: readonly Annotation[];
}

/**
 * What the fields or methods of `where` are called in TypeScript and JavaScript: their own names, but for those that an
 * annotation renames. CAPNP_SCHEMA where that gives two of them one name, or one a name as the library's own members have.
 */
export const typescriptNames = (members: readonly Member[], where: string): string[] => {
  const taken = new Set<string>();
  return members.map((member) => {
    const name = typescriptName(member);
    if (taken.has(name)) {
      throw unusable(`${where} has two members that are called ${JSON.stringify(name)} in TypeScript`);
    }
    if (name.startsWith("$")) {
      throw unusable(
        `${where} has a member that is called ${JSON.stringify(name)}, as only the library's own members are`,
      );
    }
    taken.add(name);
    return name;
  });
};

const typescriptName = ({ name, annotations }: Member): string => {
  const value = annotations.find(({ id }) => id === nameId)?.value;
  return value?.which === "text" && value.value !== "" ? value.value : name;
};

const unusable = (why: string): CapnpError => new CapnpError("CAPNP_SCHEMA", `${why}: choose another $name.`);
