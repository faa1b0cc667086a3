/** A real engine behind a link that can be lost on demand, which no engine does by itself. */
export type Breakable<Engine extends object> = {
  engine: Engine;
  /** `refusing`: calls reject; `silent`: they never settle; undefined: the link is well. */
  trouble: "refusing" | "silent" | undefined;
  /** Calls that the real engine has not answered yet. */
  underWay: number;
};

/** @param refusal what calls reject with */
export function breakable<Engine extends object>(real: Engine, refusal: Error): Breakable<Engine> {
  const link: Breakable<Engine> = { engine: real, trouble: undefined, underWay: 0 };
  link.engine = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === Symbol.asyncDispose || link.trouble === undefined) {
          const answer: unknown = value.apply(target, args);
          if (answer instanceof Promise) {
            link.underWay++;
            const answered = () => void link.underWay--;
            answer.then(answered, answered);
          }
          return answer;
        }
        // A bus loses what is said meanwhile, without a word.
        if (name === "publish" || name === "notify") return undefined;
        return link.trouble === "refusing" ? Promise.reject(refusal) : new Promise(() => {});
      };
    },
  });
  return link;
}
