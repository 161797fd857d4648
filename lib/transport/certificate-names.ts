/**
 * `DNS:a, URI:"x, y"` as a list. Node quotes a name that holds a comma or a quote, so that a certificate cannot pass one name off as
 * two.
 */
export function splitNames(names: string): string[] {
  return [...names.matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, kind, name]) => {
    return `${kind}:${name!.startsWith('"') ? JSON.parse(name!) : name}`;
  });
}

/** Lower-case hex, without the colons. */
export const plainFingerprint = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();
