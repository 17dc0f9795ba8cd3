// A relying party as the programs of the cloud are: go-oidc on golang.org/x/oauth2.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type given struct {
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	RedirectURI  string   `json:"redirect_uri"`
	Scopes       []string `json:"scopes"`
	Audience     string   `json:"audience"`
	Spoil        string   `json:"spoil"`
}

type told map[string]any

var lines = bufio.NewReader(os.Stdin)

func hear(into any) error {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}

func say(message told) {
	line, _ := json.Marshal(message)
	fmt.Println(string(line))
}

func browse(address string) (url.Values, error) {
	say(told{"browse": address})
	var back struct {
		URL string `json:"url"`
	}
	if err := hear(&back); err != nil {
		return nil, err
	}
	where, err := url.Parse(back.URL)
	if err != nil {
		return nil, err
	}
	return where.Query(), nil
}

// signIn is what each of them does: discovery, a code with PKCE, an ID token that is verified.
func signIn(ctx context.Context, asked given) (told, error) {
	provider, err := oidc.NewProvider(ctx, asked.Issuer)
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{
		ClientID: asked.ClientID, ClientSecret: asked.ClientSecret, Endpoint: provider.Endpoint(),
		RedirectURL: asked.RedirectURI, Scopes: asked.Scopes,
	}
	verifier := oauth2.GenerateVerifier()
	back, err := browse(config.AuthCodeURL("a-state", oidc.Nonce("a-nonce"), oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		return nil, err
	}
	if back.Get("state") != "a-state" || back.Get("iss") != asked.Issuer {
		return nil, fmt.Errorf("came back with %v", back)
	}
	if asked.Spoil == "verifier" {
		verifier = oauth2.GenerateVerifier()
	}
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	return verified(ctx, provider, config, token, asked)
}

func verified(
	ctx context.Context, provider *oidc.Provider, config oauth2.Config, token *oauth2.Token, asked given,
) (told, error) {
	raw, _ := token.Extra("id_token").(string)
	audience := config.ClientID
	if asked.Audience != "" {
		audience = asked.Audience
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != "a-nonce" {
		return nil, errors.New("another nonce")
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		return nil, err
	}
	answer := told{"refreshes": token.RefreshToken != ""}
	for name, source := range map[string]*oauth2.Token{"userinfo": token, "again": refreshed(token)} {
		if source == nil {
			continue
		}
		info, err := provider.UserInfo(ctx, config.TokenSource(ctx, source))
		if err != nil {
			return nil, err
		}
		var claims map[string]any
		if err := info.Claims(&claims); err != nil {
			return nil, err
		}
		answer[name] = claims
	}
	var claims map[string]any
	err = id.Claims(&claims)
	answer["claims"] = claims
	return answer, err
}

// refreshed is the token as it is when its access token is gone: the source has to refresh it.
func refreshed(token *oauth2.Token) *oauth2.Token {
	if token.RefreshToken == "" {
		return nil
	}
	return &oauth2.Token{RefreshToken: token.RefreshToken}
}

// describe tells an error as the other programs do.
func describe(err error) told {
	failed := told{"name": fmt.Sprintf("%T", err), "message": err.Error()}
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) {
		failed["error"] = refusal.ErrorCode
	}
	return failed
}

func main() {
	var asked given
	if err := hear(&asked); err != nil {
		say(told{"failed": describe(err)})
		return
	}
	done, err := signIn(context.Background(), asked)
	if err != nil {
		say(told{"failed": describe(err)})
		return
	}
	say(told{"done": done})
}
