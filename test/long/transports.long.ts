import { transportContract } from "../transport/contract.ts";
import { kindsApart } from "../transport/kinds.ts";

for (const [name, kind] of Object.entries(kindsApart)) transportContract(name, kind);
