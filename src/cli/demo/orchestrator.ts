// A process of the demo: the orchestrator. It starts and finishes tasks, and hands their tokens to the agent on purpose.
import { createOrchestrator, type OrchestratorOptions } from "../../client/client.ts"
import type { Orchestrator, StartRequest } from "../../client/orchestrator.ts"
import type { Task } from "../../client/task.ts"
import { answerCues } from "./cues.ts"

let orchestrator: Orchestrator | undefined
const tasks = new Map<string, Task>()

answerCues({
  open(options: OrchestratorOptions) {
    orchestrator = createOrchestrator(options)
  },
  async start(request: StartRequest) {
    const task = await orchestrator?.start(request)
    if (!task) throw new Error("not open yet")
    tasks.set(task.id, task)
    return task.handover()
  },
  complete: (id: string) => tasks.get(id)?.complete("the demo is done with it"),
})
