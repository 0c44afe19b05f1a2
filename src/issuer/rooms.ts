// What the endpoints work with, handed in once. It decides nothing.
import type { Rollups } from "../audit/rollup.ts"
import type { Engine } from "../database/database.ts"
import type { Names } from "../database/names.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { LedgerKeys } from "../keys/ledger-key.ts"
import type { Rotation } from "../keys/rotation.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Sequence } from "../ledger/sequence.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import type { Approvals } from "../task/approvals.ts"
import type { Archives } from "../task/archive.ts"
import type { Canaries } from "../task/canary.ts"
import type { Declarations } from "../task/declarations.ts"
import type { Erasures } from "../task/erase.ts"
import type { Exposures } from "../task/exposure.ts"
import type { Introspections } from "../task/introspection.ts"
import type { Revocations } from "../task/revocation.ts"
import type { StatusLists } from "../task/status-list.ts"
import type { Tasks } from "../task/task.ts"
import type { Uses } from "../task/use.ts"
import type { Verifiers } from "../task/verifiers.ts"
import type { Clock } from "../time.ts"
import type { Closings } from "./closing.ts"
import type { OpenedConsole } from "./console/open.ts"
import type { Deliveries } from "./delivery.ts"
import type { FeedStreams } from "./feed-stream.ts"
import type { Health } from "./health.ts"
import type { Identities } from "./identities.ts"
import type { PostureWatch } from "./posture-watch.ts"
import type { Watch } from "./watch.ts"

export interface Rooms extends OpenedConsole {
  /** The issuer's URL, byte for byte. */
  readonly issuer: string
  readonly clock: Clock
  /** Keys stand for people. */
  readonly dev: boolean
  readonly engine: Engine
  readonly names: Names
  readonly ledger: Ledger
  readonly sequence: Sequence
  readonly keyring: Keyring
  readonly ledgerKeys: LedgerKeys
  readonly rotation: Rotation
  readonly policies: PolicyStore
  readonly identities: Identities
  readonly tasks: Tasks
  readonly approvals: Approvals
  readonly uses: Uses
  readonly verifiers: Verifiers
  /** Of what verifiers serve. */
  readonly declarations: Declarations
  /** Closing statements. */
  readonly closings: Closings
  readonly revocations: Revocations
  readonly introspections: Introspections
  readonly canaries: Canaries
  readonly exposures: Exposures
  readonly erasures: Erasures
  readonly archives: Archives
  readonly statusLists: StatusLists
  readonly streams: FeedStreams
  readonly health: Health
  /** Of silence. */
  readonly watch: Watch
  /** Of how the installation stands. */
  readonly posture: PostureWatch
  /** Of granted against used. */
  readonly rollups: Rollups
  /** Of what is told outwards. */
  readonly deliveries: Deliveries
}
