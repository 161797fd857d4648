import { type Diagnostic, formatDiagnostic } from "./compiler/diagnostics.ts";
import { CapnpError } from "./errors.ts";

/** A schema that does not compile: CAPNP_COMPILE with every mistake, each on a line of the message. */
export class CompileError extends CapnpError {
  /** All mistakes, in the order in which they were found. */
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super("CAPNP_COMPILE", diagnostics.map(formatDiagnostic).join("\n"));
    this.diagnostics = diagnostics;
  }
}
