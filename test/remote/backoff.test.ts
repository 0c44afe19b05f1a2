import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createBackoff, repeat } from "../../src/remote/backoff.ts"

describe("a backoff", () => {
  test("doubles up to its limit, the upper half by chance, and starts over after a success", () => {
    const least = createBackoff(100, 1000, () => 0)
    const most = createBackoff(100, 1000, () => 1)
    expect(Array.from({ length: 6 }, least.next)).toEqual([50, 100, 200, 400, 500, 500])
    expect(Array.from({ length: 6 }, most.next)).toEqual([100, 200, 400, 800, 1000, 1000])
    least.reset()
    expect(least.next()).toBe(50)
    for (let at = 0; at < 2000; at++) expect(most.next()).toBe(1000)
  })
})

describe("a loop", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const fault = new Error("away")

  test("works at once, then at its pace; a failure waits as the backoff says and is told", async () => {
    const runs: number[] = []
    const faults: unknown[] = []
    let failing = false
    const work = async () => {
      runs.push(Date.now())
      if (failing) throw fault
    }
    const began = Date.now()
    const loop = repeat(
      work,
      1000,
      createBackoff(300, 300, () => 1),
      (one) => faults.push(one),
    )
    await vi.advanceTimersByTimeAsync(1000)
    failing = true
    await vi.advanceTimersByTimeAsync(1300)
    expect(runs.map((at) => at - began)).toEqual([0, 1000, 2000, 2300])
    expect(faults).toEqual([fault, fault])
    await loop.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(runs.length).toBe(4)
  })

  test("never works twice at a time, and a wake meanwhile runs it once more", async () => {
    let running = 0
    let most = 0
    let runs = 0
    const work = async () => {
      runs++
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 50))
      running--
    }
    const loop = repeat(work, 1000, createBackoff(1, 1), () => undefined)
    for (let at = 0; at < 10; at++) loop.wake()
    await vi.advanceTimersByTimeAsync(500)
    expect([runs, most]).toEqual([2, 1])
    loop.wake()
    const stopped = loop.stop()
    await vi.advanceTimersByTimeAsync(50)
    await stopped
    loop.wake()
    await vi.advanceTimersByTimeAsync(5000)
    expect([runs, running]).toEqual([3, 0])
  })

  test("a wake does not shorten the wait after a failure", async () => {
    let runs = 0
    const work = async () => {
      runs++
      await new Promise((resolve) => setTimeout(resolve, 10))
      throw fault
    }
    const loop = repeat(
      work,
      10,
      createBackoff(5000, 5000, () => 1),
      () => undefined,
    )
    loop.wake()
    await vi.advanceTimersByTimeAsync(4000)
    expect(runs).toBe(1)
    await loop.stop()
  })
})
