/** With CAPSTAN_LONG=1, which `npm run test:long` sets, these are many more messages than in the ordinary suite. */
import "../schema/evolution-matrix.test.ts";
