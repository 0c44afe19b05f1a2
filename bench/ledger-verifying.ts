// How fast a ledger is verified: uses as verifiers report them, in a file, every entry with its row, its values and its place in
// the tree; beside it SHA-256 of the same bytes. One thread, and so one core.
import { hash } from "node:crypto"
import { openReader } from "../src/database/reader.ts"
import { verifyLedger } from "../src/ledger/verify.ts"
import { databaseSource } from "../src/ledger/verify-database.ts"
import { makeUseLedger } from "../test/support/ledger-file.ts"
import { median } from "./machine.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

const MOST_ENTRIES = 200_000
const AT_LEAST = 100_000

export async function benchVerifying({ rounds, entries }: Settings): Promise<boolean> {
  const file = await makeUseLedger(Math.min(entries, MOST_ENTRIES))
  const reader = openReader(file.path)
  try {
    const rates = { verified: [] as number[], hashed: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      const source = await databaseSource(reader)
      const began = performance.now()
      const found = await verifyLedger({ source, key: file.vkey })
      rates.verified.push((source.entries * 1000) / (performance.now() - began))
      if (found.verdict !== "verified") throw new Error(JSON.stringify(found))
      rates.hashed.push(hashRate(file.bytes))
    }
    const [verified, hashed] = [median(rates.verified), median(rates.hashed)]
    return printMeasures(`ledger verify, ${file.entries.toLocaleString("en")} entries, ${rounds} rounds`, [
      {
        what: "entries verified",
        figure: perSecond(verified),
        ratio: verified / AT_LEAST,
        against: `of ${perSecond(AT_LEAST)}`,
        atLeast: 1,
      },
      { what: "SHA-256 of the same bytes", figure: perSecond(hashed) },
    ])
  } finally {
    reader.close()
    await file.remove()
  }
}

function hashRate(all: readonly Uint8Array[]): number {
  const began = performance.now()
  for (const bytes of all) hash("sha256", bytes, "buffer")
  return (all.length * 1000) / (performance.now() - began)
}
