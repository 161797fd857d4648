import { join } from "node:path";
import { SchemaParser } from "../../lib/load.ts";
import { repositoryRoot } from "./repository.ts";

/** What is loaded at run time has no static type: in a test of its behaviour everything may be asked of it. */
export type Loose = ReturnType<typeof JSON.parse>;

/** A schema file of the repository, in a universe of its own. */
export const loadLoosely = (path: string): Loose => new SchemaParser().loadSync<Loose>(join(repositoryRoot, path));

/** A schema given as text, without its file id. */
export const parseLoosely = (text: string): Loose => new SchemaParser().parse<Loose>(`@0xd3d3d3d3d3d3d3d3;\n${text}`);
