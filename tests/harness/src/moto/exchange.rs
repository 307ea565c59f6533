//! One question to moto and its answer, spoken by hand: no SDK that could be wrong in the same way stands between.

use super::MotoServer;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// moto answers within milliseconds; its first call loads its models.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

impl MotoServer {
    /// Asks a service in a region for an action, and returns the whole answer; `headers` are lines that end in CR LF.
    ///
    /// moto takes service and region from the credential's scope and checks no signature.
    pub(super) async fn answer_to(
        &self,
        (region, service, action): (&str, &str, &str),
        headers: &str,
        body: &str,
    ) -> String {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=none\r\n\
             {headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address(),
            body.len(),
        );
        let exchange = async {
            let mut server = TcpStream::connect(self.address()).await?;
            server.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            server.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        tokio::time::timeout(ANSWER_WITHIN, exchange)
            .await
            .unwrap_or_else(|_| panic!("moto did not answer {action} in time"))
            .unwrap_or_else(|error| panic!("moto did not answer {action}: {error}"))
    }

    /// The same where moto has to agree.
    pub(super) async fn exchange(
        &self,
        (region, service, action): (&str, &str, &str),
        headers: &str,
        body: &str,
    ) -> String {
        let answer = self.answer_to((region, service, action), headers, body).await;
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "moto refused {action}:\n{answer}"
        );
        answer
    }
}
