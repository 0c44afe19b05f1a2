// Everything under /console.
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { agentPages } from "./agents.ts"
import { approvalPages } from "./approvals.ts"
import { assetEndpoints } from "./assets.ts"
import { integrityPages } from "./integrity.ts"
import { ledgerPages } from "./ledger.ts"
import { linkEndpoints } from "./link.ts"
import { overviewPages } from "./overview.ts"
import { policyPages } from "./policy.ts"
import { posturePages } from "./posture.ts"
import { revocationPages } from "./revocations.ts"
import { signInEndpoints } from "./sign-in.ts"
import { signOut } from "./sign-out.ts"
import { taskPages } from "./tasks.ts"

export const consoleEndpoints = (rooms: Rooms): Endpoint[] => [
  ...overviewPages(rooms),
  ...taskPages(rooms),
  ...agentPages(rooms),
  ...approvalPages(rooms),
  ...revocationPages(rooms),
  ...ledgerPages(rooms),
  ...signInEndpoints(rooms),
  signOut(rooms),
  ...linkEndpoints(rooms),
  ...integrityPages(rooms),
  ...policyPages(rooms),
  ...posturePages(rooms),
  ...assetEndpoints(),
]
