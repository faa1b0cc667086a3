/** A page with nothing but a message. */
export function Notice({ title, text, back }: { title: string; text?: string; back?: boolean }) {
  return (
    <main class="notice">
      <div class="notice-card" role="status">
        <p class="brand">Bimride</p>
        <h1>{title}</h1>
        {text && <p>{text}</p>}
        {back && (
          <p>
            <a href="/">See all running trips</a>
          </p>
        )}
      </div>
    </main>
  );
}
