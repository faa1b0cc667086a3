import { useEffect, useState } from "preact/hooks";
import { Notice } from "../rider/notice.tsx";
import { loadSettingsPatiently, type PageSettings } from "../settings.ts";
import { demoTokens, hostTokens } from "../token-source.ts";
import { guestTokens, joinDemo, NotInvited, rememberedGuest } from "./demo-guest.ts";
import { DriveView } from "./drive-view.tsx";
import type { Identity } from "./identity.ts";
import type { Invitation } from "./invitation.ts";
import { SignIn } from "./sign-in.tsx";

/** The page that turns a phone's browser into a driver: finds out who it is, then drives. */
export function DriverPage({ invitation }: { invitation: Invitation }) {
  const [settings, setSettings] = useState<PageSettings>();
  const [away, setAway] = useState(false);
  const [identity, setIdentity] = useState<Identity>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    void loadSettingsPatiently(() => setAway(true)).then(async (loaded) => {
      try {
        setIdentity(await identityOf(invitation));
      } catch (error) {
        setProblem(
          error instanceof NotInvited
            ? "That link is no longer good: the server was started again. Scan the code that it shows now."
            : "Joining did not work. Reload this page to try again.",
        );
      }
      setSettings(loaded);
    });
  }, []);

  if (!settings) {
    if (!away) return <Notice title="One moment…" />;
    return (
      <Notice title="Bimride can't be reached" text="We keep trying; there is nothing you need to do." />
    );
  }
  if (identity) return <DriveView settings={settings} identity={identity} />;
  return (
    <SignIn problem={problem} onToken={(text) => setIdentity({ token: async () => text, isGuest: false })} />
  );
}

/** By the embedding app, by the invitation, by what this tab was before; undefined: somebody has to say. */
async function identityOf(invitation: Invitation): Promise<Identity | undefined> {
  const host = hostTokens();
  if (host) return { token: host, isGuest: false };
  if (invitation && "tripId" in invitation)
    return { token: demoTokens({ role: "driver", tripId: invitation.tripId }), isGuest: false };
  const guest = invitation ? await joinDemo(invitation.joinCode) : rememberedGuest();
  return guest && { token: guestTokens(guest), isGuest: true };
}
