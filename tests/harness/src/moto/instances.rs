//! What tests do to moto's instances, past everything that is under test: EC2's Query API, spoken by hand,
//! so that no SDK that could be wrong in the same way stands between.

use super::MotoServer;
use std::collections::BTreeMap;

/// The image that moto knows from the start.
const IMAGE: &str = "ami-12c6146b";

impl MotoServer {
    /// Starts an instance and returns its id; `more` is added to `RunInstances`.
    pub async fn run_instance(&self, region: &str, more: &[(&str, &str)]) -> String {
        let mut form = vec![
            ("ImageId", IMAGE),
            ("InstanceType", "t3.medium"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
        ];
        form.extend_from_slice(more);
        let answer = self.ask(region, "RunInstances", &form).await;
        let [instance] = values(&answer, "instanceId")
            .try_into()
            .expect("one instance was started");
        instance
    }

    /// What an instance is doing, in EC2's words.
    pub async fn state_of(&self, region: &str, instance: &str) -> String {
        let answer = self
            .ask(region, "DescribeInstances", &[("InstanceId.1", instance)])
            .await;
        let (_, state) = answer
            .split_once("<instanceState>")
            .expect("an instance has a state");
        values(state, "name").swap_remove(0)
    }

    /// The tags of an instance.
    pub async fn tags_of(&self, region: &str, instance: &str) -> BTreeMap<String, String> {
        let filter = [("Filter.1.Name", "resource-id"), ("Filter.1.Value.1", instance)];
        let answer = self.ask(region, "DescribeTags", &filter).await;
        values(&answer, "key")
            .into_iter()
            .zip(values(&answer, "value"))
            .collect()
    }

    /// Writes a tag, as a person would.
    pub async fn set_tag(&self, region: &str, instance: &str, key: &str, value: &str) {
        let form = [
            ("ResourceId.1", instance),
            ("Tag.1.Key", key),
            ("Tag.1.Value", value),
        ];
        self.ask(region, "CreateTags", &form).await;
    }

    /// Switches stop protection on.
    pub async fn protect_from_stop(&self, region: &str, instance: &str) {
        let form = [("InstanceId", instance), ("DisableApiStop.Value", "true")];
        self.ask(region, "ModifyInstanceAttribute", &form).await;
    }

    /// Stops an instance, as a person would.
    pub async fn stop_instance(&self, region: &str, instance: &str) {
        self.ask(region, "StopInstances", &[("InstanceId.1", instance)])
            .await;
    }

    /// Starts an instance again, as a person would.
    pub async fn start_instance(&self, region: &str, instance: &str) {
        self.ask(region, "StartInstances", &[("InstanceId.1", instance)])
            .await;
    }

    /// Terminates an instance, as a person would.
    pub async fn terminate_instance(&self, region: &str, instance: &str) {
        self.ask(region, "TerminateInstances", &[("InstanceId.1", instance)])
            .await;
    }

    async fn ask(&self, region: &str, action: &str, form: &[(&str, &str)]) -> String {
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in form {
            body.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        self.exchange((region, "ec2", action), kind, &body).await
    }
}

/// The texts of every element of this name, in their order, with XML's five entities resolved.
pub(super) fn values(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let inside = xml
        .split(&open)
        .skip(1)
        .filter_map(|rest| rest.split(&close).next());
    inside
        .map(|text| {
            let text = text
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"");
            text.replace("&#39;", "'")
                .replace("&apos;", "'")
                .replace("&amp;", "&")
        })
        .collect()
}

/// Percent-encoding of everything that is not unreserved (RFC 3986, 2.3).
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_written_as_they_are_meant() {
        assert_eq!(
            values("<a>1 &amp; 2</a><b>x</b><a>&lt;3</a>", "a"),
            ["1 & 2", "<3"]
        );
        assert_eq!(encoded("aws:x y"), "aws%3Ax%20y");
    }
}
