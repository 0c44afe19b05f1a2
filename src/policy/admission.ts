// A policy's files into a policy that may take force here: read as load.ts reads them, and, where it is not the one in force
// already, asked about what only the network knows. What is asked is the issuer's (identity providers).

import type { PolicyFault } from "./fault.ts"
import { PolicyFaults } from "./fault.ts"
import { fingerprint } from "./folder.ts"
import { loadPolicy } from "./load.ts"
import type { Policy } from "./policy.ts"
import type { LoadOptions } from "./resolve.ts"

/** What is wrong with a policy beside its text; empty where nothing is, and where that can't be told now. */
export type Admit = (policy: Policy) => Promise<readonly PolicyFault[]>

export interface AdmissionOptions extends LoadOptions {
  readonly folder: string
  /** Default: every policy that can be read is taken. */
  readonly admit?: Admit
}

/** `inForce`: the digest of the policy in force, which is not asked about again: a restart must not depend on others. */
export async function loadAdmitted(
  options: AdmissionOptions,
  inForce: string | undefined,
): Promise<Policy | PolicyFaults> {
  const policy = await loadPolicy(options.folder, options)
  if (policy instanceof PolicyFaults || policy.digest === inForce) return policy
  const faults = (await options.admit?.(policy)) ?? []
  if (faults.length === 0) return policy
  const { digest, files } = policy
  const read = fingerprint({ texts: files, unreadable: new Map() })
  return new PolicyFaults({ faults, digest, keyPaths: [...files.keys()], fingerprint: read })
}
