import { useState } from "preact/hooks";

/** Outside the demo, where no embedding app gives one, the token is asked for. It stays in this page's memory. */
export function TokenForm({ onToken }: { onToken: (token: string) => void }) {
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
        <h1>Open your ride</h1>
        <label for="token">Access token</label>
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
          Kept in this page only, and forgotten when you close it.
        </p>
        <button type="submit">Show my ride</button>
      </form>
    </main>
  );
}
