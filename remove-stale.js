// Removes from dist/ what tsc once made of sources that are gone, which it does not do itself: a test that was renamed would
// run twice, and a module that was deleted would be packed.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));

for (const folder of ["lib", "servers", "clients", "certs", "test"]) {
  const made = join(root, "dist", folder);
  if (!existsSync(made)) continue;
  for (const path of readdirSync(made, { recursive: true, encoding: "utf8" })) {
    const source = path.replace(/(?:\.d\.ts|\.js|\.js\.map)$/, ".ts");
    if (source !== path && !existsSync(join(root, folder, source))) rmSync(join(made, path));
  }
}
