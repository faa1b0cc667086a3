/** Keeps the screen on, again whenever the page comes back to it. Returns how to stop. */
export function keepScreenOn(onHeld: (isHeld: boolean) => void): () => void {
  let lock: WakeLockSentinel | undefined;
  let isOver = false;
  const hold = async () => {
    if (document.visibilityState !== "visible" || isOver || (lock && !lock.released)) return;
    try {
      lock = await navigator.wakeLock.request("screen");
      lock.addEventListener("release", () => onHeld(false));
      if (isOver) return void lock.release();
      onHeld(true);
    } catch {
      // None to be had (an older browser, a low battery): the page says that the screen must be kept on by hand.
      onHeld(false);
    }
  };
  const onVisible = () => void hold();
  document.addEventListener("visibilitychange", onVisible);
  void hold();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", onVisible);
    void lock?.release();
  };
}
