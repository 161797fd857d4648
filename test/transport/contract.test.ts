import { transportContract } from "./contract.ts";
import { kinds } from "./kinds.ts";

for (const [name, kind] of Object.entries(kinds)) transportContract(name, kind);
