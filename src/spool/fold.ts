// Refusals that come too fast: a token that loops must not fill the spool with saying the same. It decides which of them
// are recorded one by one and which as a count.
import { LRUCache } from "lru-cache"
import type { Clock } from "../time.ts"
import type { UseRecord } from "../token/batch.ts"

interface Fold {
  startedAt: number
  recorded: number
  folded: number
  last: UseRecord | undefined
}

const FOLD_MILLISECONDS = 1000
const RECORDED_PER_FOLD = 10
const TOKENS_FOLDED = 10_000

/** Of one token, the refusals above ten in a second become one record with their count. */
export function createFold(clock: Clock, store: (use: UseRecord) => void) {
  const release = (fold: Fold) => {
    if (fold.last) store(fold.folded > 1 ? { ...fold.last, count: fold.folded } : fold.last)
    fold.last = undefined
    fold.folded = 0
  }
  const folds = new LRUCache<string, Fold>({ max: TOKENS_FOLDED, dispose: release })
  const isOver = (fold: Fold) => clock.monotonic() - fold.startedAt >= FOLD_MILLISECONDS
  return {
    add(use: UseRecord) {
      let fold = folds.get(use.jti)
      if (!fold || isOver(fold)) {
        if (fold) release(fold)
        fold = { startedAt: clock.monotonic(), recorded: 0, folded: 0, last: undefined }
        folds.set(use.jti, fold)
      }
      if (fold.recorded < RECORDED_PER_FOLD) {
        fold.recorded++
        store(use)
      } else {
        fold.folded++
        fold.last = use
      }
    },
    flush() {
      for (const fold of folds.values()) release(fold)
    },
  }
}
