import { useState } from "preact/hooks";

/** Where nothing else says who drives, a token is asked for. It stays in this page's memory. */
export function SignIn({ problem, onToken }: { problem: string; onToken: (token: string) => void }) {
  const [text, setText] = useState("");
  return (
    <main class="notice">
      <form
        class="notice-card"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") onToken(text.trim());
        }}
      >
        <p class="brand">Bimride</p>
        <h1>Drive with this phone</h1>
        {problem !== "" && (
          <p class="notice-problem" role="alert">
            {problem}
          </p>
        )}
        <label for="token">Access token of a driver</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="token-hint"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p id="token-hint" class="hint">
          Kept in this page only, and forgotten when you close it. In the demo, scan the code that{" "}
          <code>npm start -- --lan</code> shows instead.
        </p>
        <button type="submit">Go on</button>
      </form>
    </main>
  );
}
