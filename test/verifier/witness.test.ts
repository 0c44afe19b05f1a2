// What a verifier does with what is proved to it, and with what is not: rows that stay, a contradiction that stops it until an
// operator has decided, and whose word about the ledger's key it takes.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openSpool } from "../../src/spool/spool.ts"
import { BatchRefused } from "../../src/verifier/shipper.ts"
import { LedgerForked, openWitness, settleFork, Unproved, type Witness } from "../../src/verifier/witness.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createFolders } from "../support/folder.ts"
import { closeServer } from "../support/guarded-api.ts"
import { listen } from "../support/hosts.ts"
import { createSharedSpool, type Member, type SharedSpool } from "../support/shared-spool.ts"
import { createSmallLog, newNoteSigner, type SmallLog } from "../support/small-log.ts"

describe("a batch", () => {
  let shared: SharedSpool
  let one: Member
  let other: Member
  beforeEach(async () => {
    shared = createSharedSpool()
    one = await shared.join()
    other = await shared.join()
    await one.shipper.ship()
  })
  afterEach(() => shared.remove())

  const isReleased = () => one.shipper.acknowledged(one.recorder.lastSeq())

  test("that was acknowledged and not proved stays, and is sent again until it is", async () => {
    await one.use()
    shared.issuer.change = (answer) => ({ ...answer, inclusion: undefined })
    for (let time = 0; time < 3; time++) {
      await expect(one.shipper.ship()).rejects.toThrow(Unproved)
      expect(isReleased()).toBe(false)
    }
    expect(one.witness.standing()).toBeUndefined()
    shared.issuer.change = (answer) => answer
    await one.shipper.ship()
    expect(isReleased()).toBe(true)
    expect(shared.usesSent()).toHaveLength(4)
    expect(new Set(shared.usesSent()).size).toBe(1)
  })

  test("that is proved, and of which the issuer says that it has only those before, stays", async () => {
    await one.use()
    shared.issuer.change = (answer) => ({ ...answer, acknowledged: shared.batches.length - 1 })
    await expect(one.shipper.ship()).rejects.toThrow(BatchRefused)
    expect(isReleased()).toBe(false)
    shared.issuer.change = (answer) => answer
    await one.shipper.ship()
    expect([isReleased(), new Set(shared.usesSent()).size]).toEqual([true, 1])
  })

  test("names the newest checkpoint, whichever process signs it", async () => {
    await one.use()
    await one.shipper.ship()
    const newest = one.witness.held()
    await other.use()
    await other.shipper.ship()
    await one.shipper.ship()
    expect(shared.batches.at(-1)).toMatchObject({ checkpoint: newest, uses: [{}] })
    expect(one.witness.held()).not.toBe(newest)
  })

  test("of several that were signed before the first was sent is proved from the newest checkpoint, too", async () => {
    for (const member of [other, other, one]) {
      await member.use()
      await member.shipper.ship()
    }
    const named = shared.batches.slice(-3).map(({ checkpoint }) => checkpoint)
    expect(named[0]).toBe(named[1])
    expect(isReleased()).toBe(true)
    expect(one.spool.oldestSequence()).toBeUndefined()
  })

  test("H07: answered by an issuer on a copy stays; nothing is sent any more, and no process serves anything", async () => {
    await one.use()
    await one.shipper.ship()
    const held = one.witness.held()
    shared.fork()
    await one.use()
    await expect(one.shipper.ship()).rejects.toThrow(LedgerForked)
    const sent = shared.batches.length
    shared.clock.advance(60_000)
    await expect(one.shipper.ship()).rejects.toThrow(LedgerForked)
    expect(shared.batches.length).toBe(sent)
    expect(isReleased()).toBe(false)
    await other.shipper.ship()
    for (const { witness } of [one, other]) {
      expect(witness.standing()).toMatchObject({ code: "ledger_forked" })
      expect(witness.fork()).toMatchObject({ why: "not_continued", sequence: sent, held })
      expect(witness.fork()?.theirs).not.toBe(held)
      expect(JSON.parse(witness.fork()?.answer ?? "")).toHaveProperty("checkpoint", witness.fork()?.theirs)
    }
  })

  test("for which the issuer says that its ledger is broken stays, and nothing is served while it says so", async () => {
    await one.use()
    shared.issuer.broken = true
    await expect(one.shipper.ship()).rejects.toThrow("broken")
    await other.shipper.ship()
    for (const { witness } of [one, other])
      expect(witness.standing()).toMatchObject({ code: "ledger_forked" })
    expect(one.witness.fork()).toBeUndefined()
    shared.issuer.broken = false
    await one.shipper.ship()
    await other.shipper.ship()
    for (const { witness } of [one, other]) expect(witness.standing()).toBeUndefined()
    expect(isReleased()).toBe(true)
  })
})

describe("the spool", () => {
  const newFolder = createFolders()
  let path: string
  let log: SmallLog
  beforeEach(() => {
    path = join(newFolder(), "uses.db")
    log = createSmallLog()
  })

  /** Opens it as a start of the process does, and closes it again. */
  async function within<T>(
    ledgerKey: string | undefined,
    work: (witness: Witness) => Promise<T>,
    issuerAddress = "http://127.0.0.1:9",
  ): Promise<T> {
    const spool = await openSpool(path)
    const issuer = "https://taskmint.internal"
    const options = { issuer, issuerAddress, clock: createFakeClock(), ledgerKey }
    const found: unknown[] = []
    try {
      const witness = await openWitness({ ...options, spool, found: (fork) => void found.push(fork) })
      const result = await work(witness)
      expect(found).toEqual(witness.fork() ? [witness.fork()] : [])
      return result
    } finally {
      await spool.close()
    }
  }
  const heartbeat = { instance: "", sequence: 1, digest: "", empty: true }
  /** As it is answered to a heartbeat; a first one becomes known. */
  const hear = async (witness: Witness, from: SmallLog) => {
    const held = witness.held()
    const proof = held === null ? {} : from.prove(held)
    return witness.judge(heartbeat, JSON.stringify({ ...from.newest(), ...proof }))
  }

  test("keeps what was found over restarts, until an operator has decided; then the proof is kept", async () => {
    await within(log.vkey, (witness) => hear(witness, log))
    const copy = log.copy()
    copy.append("theirs")
    copy.append("theirs")
    log.append("ours")
    await within(log.vkey, async (witness) => {
      await witness
        .judge(heartbeat, JSON.stringify({ ...log.newest(), consistency: [] }))
        .catch(() => undefined)
      expect(witness.fork()).toMatchObject({ why: "not_continued" })
    })
    for (const key of [log.vkey, undefined])
      await within(key, async (witness) => {
        expect(witness.standing()).toMatchObject({ code: "ledger_forked" })
        expect(witness.complaint()).toContain("taskmint verifier trust")
      })
    const spool = await openSpool(path)
    const { fork } = await settleFork(spool)
    expect(fork).toMatchObject({ why: "not_continued" })
    expect(await settleFork(spool)).toEqual({ fork: undefined, key: log.vkey })
    expect(JSON.parse(spool.latest("ledger") ?? "")).toMatchObject({ settled: [fork] })
    await spool.close()
    await within(log.vkey, async (witness) => {
      expect(witness.standing()).toBeUndefined()
      expect(await hear(witness, log)).toHaveLength(2) // the ledger that was known goes on
    })
  })

  test("of a ledger that went on the wrong way, settled or not, never takes the other history", async () => {
    await within(log.vkey, (witness) => hear(witness, log))
    const wrong = createSmallLog(log.signer, ["another", "history", "altogether"])
    await within(log.vkey, async (witness) => {
      await expect(hear(witness, wrong)).rejects.toThrow(LedgerForked)
    })
    const spool = await openSpool(path)
    await settleFork(spool)
    await spool.close()
    await within(log.vkey, async (witness) => {
      await expect(hear(witness, wrong)).rejects.toThrow(LedgerForked)
    })
  })

  test("H06: a new log is taken by the operator's word alone, and what was found of the one before is settled by it", async () => {
    await within(log.vkey, (witness) => hear(witness, log))
    const wrong = createSmallLog(log.signer, ["another"])
    wrong.append("history")
    const begun = createSmallLog(newNoteSigner("taskmint.internal/2026-11-28T06:44:00.000Z"))
    await within(log.vkey, async (witness) => {
      await expect(hear(witness, wrong)).rejects.toThrow(LedgerForked)
      await expect(hear(witness, begun)).rejects.toThrow(Unproved)
    })
    await within(begun.vkey, async (witness) => {
      expect([witness.held(), witness.standing()]).toEqual([null, undefined])
      await hear(witness, begun)
      expect(witness.held()).toBe(begun.note())
    })
    await within(undefined, async (witness) => expect(witness.held()).toBe(begun.note()))
  })

  test("H06: only batches that were sealed before a new log was taken may be told of nowhere in it", async () => {
    await within(log.vkey, (witness) => hear(witness, log))
    const spool = await openSpool(path)
    const nothing = { groups: [], split: [], pieces: [], highest: 0 }
    const envelope = { head: "", frame: "{}", signature: "" }
    const batch = { sequence: 3, digest: "d", first: 0, shares: new Map(), outcomes: [] }
    const to = JSON.stringify({ sequence: 3, digest: "d" })
    await spool.storeBatch({ ...batch, bytes: Buffer.of(), envelope }, nothing, { from: spool.chain(), to })
    await spool.close()
    const begun = createSmallLog(newNoteSigner("taskmint.internal/2026-11-28T06:44:00.000Z"))
    await within(begun.vkey, async (witness) => {
      await hear(witness, begun)
      const answer = JSON.stringify({ ...begun.newest(), ...begun.prove(begun.note()), entry: null })
      const sent = { instance: "i", digest: "d", empty: false }
      await expect(witness.judge({ ...sent, sequence: 4 }, answer)).rejects.toThrow(Unproved)
      expect(await witness.judge({ ...sent, sequence: 3 }, answer)).toHaveLength(2)
    })
  })

  test("H19: another key of the same log has to continue what the one before signed", async () => {
    await within(log.vkey, (witness) => hear(witness, log))
    const second = newNoteSigner()
    log.handOver(second)
    await within(second.vkey, async (witness) => {
      expect(witness.held()).not.toBeNull()
      const wrong = createSmallLog(second, ["another", "history"])
      await expect(hear(witness, wrong)).rejects.toThrow(LedgerForked)
    })
  })

  test.each([
    ["of another issuer", { issuer: "https://other.example" }],
    ["without a key", { ledger_key: undefined }],
    ["with what is none", { ledger_key: "taskmint.internal+00000000+AQ==" }],
    ["of the issuer itself", {}],
  ])("without a key: takes one from metadata %s", async (what, changes) => {
    const told = { issuer: "https://taskmint.internal", ledger_key: log.vkey, ...changes }
    const server = await listen(createServer((_, res) => res.end(JSON.stringify(told))))
    const { port } = server.address() as AddressInfo
    const heard = within(undefined, (witness) => hear(witness, log), `http://127.0.0.1:${port}`)
    if (what === "of the issuer itself") await heard
    else await expect(heard).rejects.toThrow("name no key of its ledger")
    await closeServer(server)
  })

  test("without a key and an issuer that names one takes nobody's word", async () => {
    await within(undefined, async (witness) => {
      await expect(hear(witness, log)).rejects.toThrow("no answer from")
      expect(witness.held()).toBeNull()
    })
  })
})
