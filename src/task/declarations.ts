// What verifier instances say they serve: taken from each for itself, and told together. It decides whose word is kept, the
// last of an instance that has reported; what follows from it is for those who compare.
import { type Engine, Unexpected } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { QUIET_MILLISECONDS } from "../token/batch.ts"
import { type Declared, orderDeclared } from "../token/declaration.ts"
import { declarations, declare, presence } from "./declaration-statements.ts"
import type { Reporter } from "./instance.ts"

/** Of one API: its instances that have not said their last word. */
export interface Presence {
  readonly api: string
  readonly open: number
  /** Heard of within three heartbeats. */
  readonly heard: number
  /** Of those heard, the ones that said what they serve. */
  readonly declaring: number
  /** What they said, once for all that say the same. */
  readonly said: readonly Said[]
}

export interface Said {
  readonly instances: number
  /** One of them. */
  readonly instance: string
  readonly operations: readonly Declared[]
}

export interface Declarations {
  /**
   * Keeps what an instance serves in place of what it said before, and answers how many operations that are; durable when it
   * resolves. Refused where no instance by
   * that id has reported for this API with this key.
   */
  take(reporter: Reporter, instance: string, operations: readonly Declared[]): Promise<number | Refusal>
  /** By API; of an API that no instance stands for there is nothing. */
  list(): Promise<readonly Presence[]>
}

/** NOT checked here: that the service token is genuine and bound to the reporter's key, and that what is declared is spelled right. */
export function createDeclarations({
  engine,
  ledger,
}: {
  readonly engine: Engine
  readonly ledger: Ledger
}): Declarations {
  return {
    async take({ api, key }, instance, operations) {
      const said = orderDeclared(operations)
      const written = { operations: JSON.stringify(said), now: ledger.at() }
      const values = { instance, api, jkt: key.thumbprint, ...written }
      try {
        await engine.atomically([{ statement: declare, values, rows: 1 }])
        return said.length
      } catch (error) {
        if (!(error instanceof Unexpected)) throw error
        return refuse("not_found", "[instance] it has not reported for this API with this key")
      }
    },
    async list() {
      const since = ledger.at() - QUIET_MILLISECONDS
      const said = await engine.query(declarations, { since })
      return (await engine.query(presence, { since })).map((row) => ({
        ...row,
        said: said
          .filter(({ api }) => api === row.api)
          .map(({ instances, newest, operations }) => ({
            instances,
            instance: newest,
            operations: readSaid(operations),
          })),
      }))
    },
  }
}

/** Written by `take` alone. */
function readSaid(text: string): readonly Declared[] {
  const said: readonly Declared[] = JSON.parse(text)
  return said
}
