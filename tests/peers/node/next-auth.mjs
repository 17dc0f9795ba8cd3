// Stands where Next.js has next-auth: keeps the configuration, which @auth/core is then given.
export let config;

export default function NextAuth(given) {
  config = given;
  return {};
}
