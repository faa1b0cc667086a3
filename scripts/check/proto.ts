import { problemsOf } from "./run-command.ts";

/** Path of the committed image: the contract as it was last generated, without comments. */
export const IMAGE_PATH = "proto/image.binpb";

/** What `buf breaking` finds between the committed image and the .proto files under `root`. */
export function breakingChanges(root: string): Promise<string[]> {
  return problemsOf("buf", ["breaking", "--against", IMAGE_PATH], root);
}

/** What `buf lint` and `buf format` find in the .proto files under `root`. */
export async function lintProto(root: string): Promise<string[]> {
  return [
    ...(await problemsOf("buf", ["lint"], root)),
    ...(await problemsOf("buf", ["format", "--diff", "--exit-code"], root)),
  ];
}
