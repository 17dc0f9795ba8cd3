import NextAuth from "next-auth"

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    {
      id: "idp",
      name: "Single sign-on",
      type: "oidc",
      issuer: process.env.AUTH_IDP_ISSUER,
      clientId: process.env.AUTH_IDP_ID,
      clientSecret: process.env.AUTH_IDP_SECRET,
      authorization: { params: { scope: "{{ scope }}" } },
      checks: ["pkce", "state", "nonce"],
      idToken: false,
    },
  ],
})
