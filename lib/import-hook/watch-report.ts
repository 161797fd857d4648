/**
 * Tells `node --watch` which files this process depends on besides the modules that Node itself has loaded. Without it,
 * nothing happens: only a process that is being watched has someone to tell.
 */
export function reportToWatcher(paths: readonly string[]): void {
  if (process.env.WATCH_REPORT_DEPENDENCIES === undefined) return;
  process.send?.({ "watch:require": paths });
}
