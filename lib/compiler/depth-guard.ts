import type { ErrorReporter } from "./diagnostics.ts";
import type { Span } from "./span.ts";

/**
 * How far one declaration may lead to the next: aliases of aliases, constants made of constants, lists in lists. Each
 * step is a few stack frames, and a chain of 100,000 would exhaust the stack.
 */
const maxDepth = 500;

/** Counts the steps under way in one compilation. */
export class DepthGuard {
  #depth = 0;

  /** False, and nothing to leave, where one step more would be too deep. */
  enter(): boolean {
    if (this.#depth >= maxDepth) return false;
    this.#depth++;
    return true;
  }

  leave(): void {
    this.#depth--;
  }

  report(errors: ErrorReporter, span: Span): void {
    errors.report(span, `Too many steps: this leads through more than ${maxDepth} other declarations or levels.`);
  }
}
