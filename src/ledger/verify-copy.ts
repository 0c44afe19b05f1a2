// An auditor's copy as verify.ts reads it: what was hashed and signed, for when the issuer is gone or not believed.
import type { AuditCopy } from "./audit-copy.ts"
import { leafHash } from "./merkle.ts"
import type { Source } from "./verify.ts"
import { readHashed } from "./verify-entry.ts"

/** Of the entries that a checkpoint was found to hold; those that were being taken in are left out. */
export function copySource(copy: AuditCopy): Source {
  const { signed } = copy.state()
  return {
    keys: copy.keys(),
    entries: signed.size,
    checkpoints: copy.checkpoints(),
    tree: { size: signed.size, frontier: Buffer.concat(signed.hashes) },
    read: async (from, to) =>
      copy.entries(from, to).map((bytes) => {
        const hashed = readHashed(bytes)
        return {
          leaf: leafHash(bytes),
          hashed,
          misfit: hashed ? undefined : { how: "not_an_entry" },
          erased: [],
        }
      }),
    stores: () => false,
    node: async () => new Uint8Array(),
    whole: async () => undefined,
  }
}
