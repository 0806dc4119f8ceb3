use super::*;

#[test]
fn control_keys_of_a_process_on_pipes() {
    let input = |bytes: &'static [u8]| plain_input(Bytes::from_static(bytes));
    let data = |bytes: &'static [u8]| Input::Data(Bytes::from_static(bytes));
    assert_eq!(input(b"ab\n"), [data(b"ab\n")]);
    assert_eq!(
        input(b"a\x03b\x04\x1c"),
        [
            data(b"a"),
            Input::Signal("INT".into()),
            data(b"b"),
            Input::Close(Ready {}),
            Input::Signal("QUIT".into()),
        ]
    );
    assert_eq!(input(b""), []);
}
