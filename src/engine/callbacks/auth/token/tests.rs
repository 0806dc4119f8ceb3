use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

/// A realm that answers one request after the other; returns what it was asked.
fn realm(answers: &[(u16, &str)]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let answers: Vec<(u16, String)> = answers.iter().map(|(s, b)| (*s, (*b).to_owned())).collect();
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line == "\r\n" {
                    break;
                }
                if let Some(n) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = n.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut form = vec![0; length];
            reader.read_exact(&mut form).unwrap();
            asked.push(format!("{head}{}", String::from_utf8(form).unwrap()));
            let size = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
        asked
    });
    (url, server)
}

fn request(realm: &str) -> FetchTokenRequest {
    FetchTokenRequest {
        client_id: "buildkit-client".into(),
        host: "reg.example".into(),
        realm: realm.into(),
        service: "reg".into(),
        scopes: vec![
            "repository:a/b:pull".into(),
            "repository:c:pull,push".into(),
        ],
    }
}

fn login() -> Credentials {
    Credentials {
        username: "me".into(),
        password: "hush".into(),
        ..Default::default()
    }
}

#[test]
fn anonymous_tokens_are_asked_for_plainly_with_all_scopes() {
    let (url, server) = realm(&[(
        200,
        r#"{"token":"t","expires_in":300,"issued_at":"2026-01-02T03:04:05Z"}"#,
    )]);
    let response = fetch(&request(&url), &Credentials::default()).unwrap();
    assert_eq!((response.token.as_str(), response.expires_in), ("t", 300));
    assert_eq!(response.issued_at, 1_767_323_045);
    let asked = server.join().unwrap().remove(0);
    assert!(asked.starts_with("GET /token?"), "{asked}");
    for part in ["service=reg", "scope=repository", "a/b", "pull"] {
        assert!(
            asked.replace("%2F", "/").contains(part),
            "{part} in {asked}"
        );
    }
    assert_eq!(asked.matches("scope=").count(), 2);
    assert!(!asked.to_lowercase().contains("authorization"));
}

#[test]
fn a_login_goes_by_oauth_and_falls_back_to_basic() {
    for status in [401, 404, 405] {
        let (url, server) = realm(&[(status, ""), (200, r#"{"access_token":"t"}"#)]);
        let response = fetch(&request(&url), &login()).unwrap();
        assert_eq!((response.token.as_str(), response.expires_in), ("t", 60));
        let asked = server.join().unwrap();
        assert!(asked[0].starts_with("POST /token"), "{}", asked[0]);
        assert!(asked[0].contains("grant_type=password") && asked[0].contains("username=me"));
        assert!(asked[1].starts_with("GET /token?"), "{}", asked[1]);
        assert!(asked[1].contains("Basic bWU6aHVzaA=="), "{}", asked[1]);
    }
}

#[test]
fn an_identity_token_is_refreshed_and_has_no_other_way() {
    let token = Credentials {
        identity_token: "refresh".into(),
        ..Default::default()
    };
    let (url, server) = realm(&[(200, r#"{"access_token":"t"}"#)]);
    assert_eq!(fetch(&request(&url), &token).unwrap().token, "t");
    assert!(server.join().unwrap()[0].contains("grant_type=refresh_token&refresh_token=refresh"));
    let (url, server) = realm(&[(401, "")]);
    let error = fetch(&request(&url), &token).unwrap_err().to_string();
    assert!(
        error.contains("status 401") && error.contains("docker login"),
        "{error}"
    );
    server.join().unwrap();
}

#[test]
fn failures_say_what_and_never_the_password() {
    let (url, server) = realm(&[(401, ""), (403, "hush")]);
    let error = fetch(&request(&url), &login()).unwrap_err().to_string();
    assert!(error.contains("403") && !error.contains("hush"), "{error}");
    server.join().unwrap();
    let (url, server) = realm(&[(200, "{}")]);
    let error = fetch(&request(&url), &Credentials::default()).unwrap_err();
    assert!(matches!(error, TokenError::Malformed(_)), "{error}");
    server.join().unwrap();
    let closed = "http://127.0.0.1:1/token";
    let error = fetch(&request(closed), &Credentials::default()).unwrap_err();
    assert!(matches!(error, TokenError::Silent { .. }), "{error}");
}

#[test]
fn passwords_do_not_travel_in_the_clear() {
    let error = fetch(&request("http://192.0.2.1/token"), &login()).unwrap_err();
    assert!(matches!(error, TokenError::Insecure(_)), "{error}");
    for (realm, private) in [
        ("https://x/t", true),
        ("http://localhost:5000/t", true),
        ("http://127.9.9.9/t", true),
        ("http://[::1]:80/t", true),
        ("http://localhost.example/t", false),
    ] {
        assert_eq!(is_private(realm), private, "{realm}");
    }
}

#[test]
fn a_registry_token_is_used_as_it_is() {
    let token = Credentials {
        registry_token: "as-is".into(),
        ..Default::default()
    };
    let response = fetch(&request("http://192.0.2.1/"), &token).unwrap();
    assert_eq!(response.token, "as-is");
}
