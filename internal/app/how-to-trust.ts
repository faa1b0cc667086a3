/** How a device comes to trust the authority, a line for each kind. @param ca its file, or the address to fetch it from */
export function howToTrust(ca: string): string[] {
  return [
    `iPhone, iPad: open ${ca} in Safari; Settings > Profile Downloaded > Install; then Settings > General > About > Certificate Trust Settings > switch it on`,
    `Android: download ${ca}; Settings > Security > Encryption & credentials > Install a certificate > CA certificate`,
    "desktop: give it to the browser or the system as an authority; Node: NODE_EXTRA_CA_CERTS=FILE; curl: --cacert FILE",
    "Take it off the device when you are done. docs/OPERATIONS.md says more.",
  ];
}
