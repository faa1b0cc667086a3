import { locatingProblem } from "./driver-words.ts";
import type { DriveState } from "./driving.ts";

type Props = { state: DriveState; phase: "before" | "starting" | "driving" | "failed"; onStart(): void };

/** Says what will happen before the browser asks for the location. */
export function BeforeDrive({ state, phase, onStart }: Props) {
  const hopeless = state.locating === "insecure" || state.locating === "unsupported";
  const problem = hopeless ? locatingProblem(state.locating) : undefined;
  const unsent = state.driver?.unsent ?? 0;
  return (
    <main class="notice">
      <div class="notice-card">
        <p class="brand">Bimride</p>
        <h1>{problem?.title ?? "Drive with this phone"}</h1>
        {problem ? (
          <p role="alert">{problem.text}</p>
        ) : (
          <p>
            This page sends where your phone is to Bimride while it is open, and keeps the screen on. Your
            browser will ask whether it may. Riders of your trips see your position; nobody else does. You can
            stop at any time.
          </p>
        )}
        {state.isElsewhere && (
          <p role="alert" class="notice-problem">
            Another tab of this browser is driving already. Close it, or drive there.
          </p>
        )}
        {phase === "failed" && (
          <p role="alert" class="notice-problem">
            Signing in did not work. Check your connection and try again.
          </p>
        )}
        {unsent > 0 && (
          <p class="hint">{`${unsent} positions are kept here and go out when you start again.`}</p>
        )}
        {!hopeless && (
          <button type="button" disabled={phase === "starting"} onClick={onStart}>
            {phase === "starting" ? "Starting…" : "Start driving"}
          </button>
        )}
      </div>
    </main>
  );
}
