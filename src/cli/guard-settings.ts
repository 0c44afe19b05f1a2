// What `guard` needs, read and checked before anything is opened: flags, settings and the routes file.

import { FRONTS, type Front } from "../sidecar/forward-auth.ts"
import type { RouteRule } from "../sidecar/routes.ts"
import { readOrigin } from "../sidecar/upstream.ts"
import { parseInstant } from "../time.ts"
import { MAX_OBSERVE_MILLISECONDS } from "../verifier/observe.ts"
import type { VerifierOptions } from "../verifier/options.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import type { ManagementPlace } from "./management.ts"
import { type CallerFlags, callerOf } from "./options.ts"
import { readRoutesFile } from "./routes-file.ts"
import { readManagement, readPort } from "./serve-settings.ts"

export interface GuardFlags extends CallerFlags {
  readonly issuerAddress?: string
  readonly resource?: string
  readonly routes?: string
  readonly upstream?: string
  readonly forwardAuth?: string
  readonly spool?: string
  readonly spoolLimit?: string
  readonly ledgerKey?: string
  readonly host?: string
  readonly port?: string
  readonly managementPort?: string
  readonly managementHost?: string
  readonly recording: "write-ahead" | "direct" | "batched"
  readonly dpopNonces?: true
  readonly observeUntil?: string
  readonly logLevel: string
}

export interface GuardSettings {
  readonly verifier: VerifierOptions
  readonly routes: readonly RouteRule[]
  /** Where what is allowed goes; or who asks, and forwards by itself. */
  readonly duty: { readonly upstream: string } | { readonly front: Front }
  readonly host: string
  readonly port: number
  /** Undefined: no listener for /livez, /readyz and /metrics. */
  readonly management: ManagementPlace | undefined
}

export function readGuardSettings(context: Context, flags: GuardFlags): GuardSettings {
  const { settings } = context
  const duty = dutyOf(settings.get("upstream", flags.upstream), flags.forwardAuth)
  const routes = readRoutesFile(settings.need("routes", flags.routes))
  const issuerAddress = settings.get("issuerAddress", flags.issuerAddress)
  const ledgerKey = settings.get("ledgerKey", flags.ledgerKey)
  return {
    verifier: {
      ...callerOf(context, flags),
      ...(issuerAddress !== undefined && { issuerAddress }),
      ...(ledgerKey !== undefined && { ledgerKey }),
      resource: settings.need("resource", flags.resource),
      ...spoolOf(flags, () => settings.need("spool", flags.spool)),
      recording: flags.recording,
      ...(flags.dpopNonces && { dpopNonces: true }),
      ...(flags.observeUntil !== undefined && { mode: { observe: { until: readEnd(flags.observeUntil) } } }),
    },
    routes,
    duty,
    host: settings.need("host", flags.host),
    port: readPort(settings.need("guardPort", flags.port)),
    management: readManagement(settings, flags),
  }
}

function spoolOf({ recording, spoolLimit }: GuardFlags, path: () => string): Pick<VerifierOptions, "spool"> {
  const place = recording === "direct" ? {} : { path: path() }
  const limit = spoolLimit === undefined ? {} : { limitBytes: readMebibytes(spoolLimit) }
  const spool = { ...place, ...limit }
  return Object.keys(spool).length === 0 ? {} : { spool }
}

function readMebibytes(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text) * 1024 * 1024
  throw wrongUse(`--spool-limit ${text} is no size`, "Give whole MiB, as in 2048")
}

/** A flag alone: no environment makes a guard that refuses nobody. One that has passed is no mistake, as after a restart. */
function readEnd(text: string): string {
  const until = parseInstant(text)
  if (until !== undefined && until <= Date.now() + MAX_OBSERVE_MILLISECONDS) return text
  const what = until === undefined ? "is no time" : "is more than 30 days ahead"
  throw wrongUse(
    `--observe-until ${text} ${what}`,
    "Write it as in 2026-12-24T00:00:00Z, at most 30 days ahead",
  )
}

function dutyOf(upstream: string | undefined, front: string | undefined): GuardSettings["duty"] {
  if ((upstream === undefined) === (front === undefined))
    throw wrongUse(
      "Give one of --upstream and --forward-auth",
      "--upstream http://127.0.0.1:9000 forwards what is allowed; --forward-auth nginx answers a proxy that forwards by itself",
    )
  if (upstream !== undefined) return { upstream: readOrigin(upstream).origin }
  const known = FRONTS.find((one) => one === front)
  if (known) return { front: known }
  throw wrongUse(`--forward-auth: ${front} is not known`, `Give one of ${FRONTS.join(", ")}`)
}
