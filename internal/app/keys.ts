import { existsSync } from "node:fs";
import { jwksFile, jwksUrl, type KeySource } from "../auth/jwks.ts";
import { jwksPathOf, makeKeyFiles, openSigningKey } from "../auth/keys.ts";
import { type TokenMint, tokenMint } from "../auth/mint.ts";
import { type Settings, SettingsError } from "../config/settings.ts";
import type { Clock } from "../core/time.ts";
import type { DataFolder } from "./data-folder.ts";

/** Whom to believe, and, where this deployment has the signing key, how to make tokens. */
export type Keys = { source: KeySource; mint: TokenMint | undefined };

/**
 * The keys that tokens are checked with, as the settings say.
 * @param mayMake make a signing key when there is none
 * @throws SettingsError when there is none and none may be made, or when the file of keys can't be read
 */
export async function openKeys(
  settings: Settings,
  folder: DataFolder | undefined,
  clock: Clock,
  mayMake: boolean,
): Promise<Keys> {
  const { authJwksUrl, authJwksFile, authKeyFolder, authIssuer, authAudience } = settings;
  if (authJwksUrl) return { source: jwksUrl(new URL(authJwksUrl)), mint: undefined };
  if (authJwksFile)
    return {
      source: await read(`auth.jwks_file ${authJwksFile}`, () => jwksFile(authJwksFile, clock)),
      mint: undefined,
    };
  const keyFolder = authKeyFolder || folder?.path("keys");
  const there = keyFolder !== undefined && existsSync(jwksPathOf(keyFolder));
  if (keyFolder === undefined || (!there && (!mayMake || authKeyFolder !== "")))
    throw new SettingsError([
      "auth.jwks_file, auth.jwks_url or an auth.key_folder with a key must be set without demo mode (or make development keys: npm run -s bimctl -- keys)",
    ]);
  const folderName = `auth.key_folder ${keyFolder}`;
  const key = there ? await read(folderName, () => openSigningKey(keyFolder)) : await makeKeyFiles(keyFolder);
  const mint = tokenMint(key, authIssuer, authAudience, () => clock.now());
  return { source: await read(folderName, () => jwksFile(jwksPathOf(keyFolder), clock)), mint };
}

/** What the file or folder of the setting holds. */
async function read<Thing>(setting: string, open: () => Promise<Thing>): Promise<Thing> {
  try {
    return await open();
  } catch (error) {
    const { cause = error } = error as Error;
    throw new SettingsError([`${setting} can't be read: ${(cause as Error).message}`]);
  }
}
