/**
 * Remakes what is derived from other files: the goldens of the wrong schemas, with the C++ compiler, and lib/std's texts as
 * a module. Run it after a build: `node dist/test/compiler/regenerate.js`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileWithCpp, goldenOf, schemasIn, standardFolder, withoutInventedId, wrongSchemaFolder } from "./golden.ts";
import { standardSchemaModule } from "./standard-schema-module.ts";

writeFileSync(join(standardFolder, "schema-texts.ts"), standardSchemaModule());
for (const file of schemasIn(wrongSchemaFolder)) {
  const { stderr } = compileWithCpp(wrongSchemaFolder, file);
  if (stderr === "" || stderr.includes("Uncaught exception")) throw new Error(`${file} has no golden: ${stderr}`);
  writeFileSync(goldenOf(file), withoutInventedId(stderr));
}
