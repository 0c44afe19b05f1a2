// Ten thousand agents whose tokens end together, on the real clock: sessions of the client library, each with a key and an
// own token, renew at an issuer that is a process of its own, on the other core. How long a renewal takes, and whether
// any call of a session had a token that had ended. It takes four minutes: no token lives shorter than five. How they are
// spread over seconds is judged on a simulated clock (test/client/herd.test.ts), where no machine is late.
import { setTimeout as sleep } from "node:timers/promises"
import { handOver } from "../src/client/held-token.ts"
import { openSession, type Session } from "../src/client/session.ts"
import { readSessionOptions } from "../src/client/session-options.ts"
import { type Surroundings, surroundingsOf } from "../src/client/surroundings.ts"
import { readTokens } from "../src/client/token-answer.ts"
import { generatePrivateJwk, importSigningKey, type PrivateJwk } from "../src/token/signature.ts"
import { startServer, type Target } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const AT_ONCE = 64
const LIFE_SECONDS = 300
/** Renewals begin at 70 % of a life and have begun by 80 %. */
const QUIET_SECONDS = LIFE_SECONDS * 0.7 - 5
const WATCHED_SECONDS = LIFE_SECONDS * 0.1 + 15
const LIMIT_MILLISECONDS = 1000

interface Started {
  readonly jwk: PrivateJwk
  readonly task: string
  readonly tokens: unknown
}

/** What is counted while sessions renew. */
interface Seen {
  readonly milliseconds: number[]
  /** Renewals that were begun, by second. */
  readonly bySecond: Map<number, number>
  failed: number
  calls: number
  /** Of these, with a token that had ended. */
  refused: number
}

export async function benchSessions({ sessions: count }: Settings): Promise<boolean> {
  const issuer = await startServer("taskmint")
  const seen: Seen = { milliseconds: [], bySecond: new Map(), failed: 0, calls: 0, refused: 0 }
  try {
    const started = await startTasks(issuer.target, count)
    // As if all had been minted now: those of the first starts end some seconds earlier than their sessions believe.
    const minted = Date.now()
    const around = surroundingsOf()
    const sessions = await Promise.all(
      started.map((one) => openTimed(issuer.target, one, { minted, around, seen })),
    )
    console.log(`${count} sessions; their tokens are renewed in ${QUIET_SECONDS} seconds and later`)
    await sleep(QUIET_SECONDS * 1000)
    for (let second = 0; second < WATCHED_SECONDS; second++) {
      await callSome(sessions, second, seen)
      await sleep(Math.max(0, minted + (QUIET_SECONDS + second + 1) * 1000 - Date.now()))
    }
    await Promise.all(sessions.map((one) => one.close()))
  } finally {
    await issuer.stop()
  }
  return print(count, seen)
}

function print(count: number, { milliseconds, bySecond, failed, calls, refused }: Seen): boolean {
  const sorted = milliseconds.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  const most = Math.max(...bySecond.values())
  const average = sorted.length / LIFE_SECONDS
  const p99 = at(0.99)
  return printMeasures(`${count} sessions whose tokens end together, real clock`, [
    { what: "renewals", figure: String(sorted.length), ratio: sorted.length / count, atLeast: 2 },
    { what: "  median", figure: `${at(0.5).toFixed(1)} ms` },
    {
      what: "  p99",
      figure: `${p99.toFixed(1)} ms`,
      time: { milliseconds: p99, atMost: LIMIT_MILLISECONDS },
    },
    { what: "  slowest", figure: `${at(1).toFixed(1)} ms` },
    { what: "  that failed", figure: String(failed), ratio: failed, atMost: 0 },
    {
      what: "  begun in the busiest second",
      figure: String(most),
      ratio: most / average,
      against: "of the average over a life",
    },
    { what: `calls with an ended token, of ${calls}`, figure: String(refused), ratio: refused, atMost: 0 },
  ])
}

async function startTasks(target: Target, count: number): Promise<Started[]> {
  const started: Started[] = []
  const left = Array.from({ length: count }, () => generatePrivateJwk("ES256")).values()
  const startRest = async () => {
    for (const jwk of left) started.push(await startTask(target, jwk))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, startRest))
  return started
}

async function startTask({ url, headers, body = "{}" }: Target, jwk: PrivateJwk): Promise<Started> {
  const asked = { ...JSON.parse(body), type: "follow-ticket", dpop_jkt: importSigningKey(jwk).thumbprint }
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(asked) })
  if (answer.status !== 201) throw new Error(`a start answered ${answer.status}: ${await answer.text()}`)
  const { task_id: task, tokens } = JSON.parse(await answer.text())
  return { jwk, task, tokens }
}

/** A session as an agent opens it, but that its renewals are timed. */
async function openTimed(
  { given }: Target,
  { jwk, task, tokens }: Started,
  { minted, around, seen }: { minted: number; around: Surroundings; seen: Seen },
): Promise<Session> {
  const opened = await readSessionOptions(
    {
      issuer: String(given?.issuer),
      issuerAddress: String(given?.issuerAddress),
      task,
      key: { ...jwk },
      tokens: readTokens(tokens, minted).map(handOver),
    },
    around,
  )
  const { renew } = opened
  if (!renew) throw new Error("the issuer lets nothing be renewed by its agent")
  const timed: typeof renew = async (...asked) => {
    const begun = performance.now()
    const second = Math.floor(begun / 1000)
    seen.bySecond.set(second, (seen.bySecond.get(second) ?? 0) + 1)
    try {
      return await renew(...asked)
    } catch (error) {
      seen.failed++
      throw error
    } finally {
      seen.milliseconds.push(performance.now() - begun)
    }
  }
  return openSession({ ...opened, renew: timed }, around)
}

/** Each session calls every five seconds; whether its token lives is read from the token itself. */
async function callSome(sessions: readonly Session[], second: number, seen: Seen): Promise<void> {
  for (let at = second % 5; at < sessions.length; at += 5) {
    const held = await sessions[at]?.token("https://tickets.internal.example/tickets/SUP-1042")
    const [, claims = ""] = held?.token.reveal().split(".") ?? []
    seen.calls++
    if (JSON.parse(Buffer.from(claims, "base64url").toString()).exp * 1000 <= Date.now()) seen.refused++
  }
}
