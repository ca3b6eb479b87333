//! RFC 4180 as our files have it: CR LF behind each record; NULL is an empty field, an empty text is `""`.

use memchr::memchr3;

/// Appends records to `out`.
#[derive(Default)]
pub struct CsvRecords {
    pub out: Vec<u8>,
    is_inside: bool,
}

impl CsvRecords {
    /// A field; None is NULL. Quoted where it is empty or holds a comma, a quote, CR or LF.
    pub fn field(&mut self, value: Option<&[u8]>) {
        if self.is_inside {
            self.out.push(b',');
        }
        self.is_inside = true;
        let Some(value) = value else { return };
        let is_plain = memchr3(b',', b'"', b'\n', value).is_none() && !value.contains(&b'\r');
        if is_plain && !value.is_empty() {
            return self.out.extend_from_slice(value);
        }
        self.out.push(b'"');
        for (at, piece) in value.split(|byte| *byte == b'"').enumerate() {
            if at > 0 {
                self.out.extend_from_slice(b"\"\"");
            }
            self.out.extend_from_slice(piece);
        }
        self.out.push(b'"');
    }

    pub fn end_record(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.is_inside = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_differ_and_only_what_must_is_quoted() {
        let mut csv = CsvRecords::default();
        let fields: [&[u8]; 8] = [b"a b", b"", b"\t;'", b"a,b", b"say \"hi\"", b"x\r", b"\n", "ö😀".as_bytes()];
        csv.field(None);
        fields.iter().for_each(|field| csv.field(Some(field)));
        csv.end_record();
        csv.field(Some(b"1"));
        csv.field(None);
        csv.end_record();
        let text = String::from_utf8(csv.out.clone()).unwrap();
        assert_eq!(text, ",a b,\"\",\t;',\"a,b\",\"say \"\"hi\"\"\",\"x\r\",\"\n\",ö😀\r\n1,\r\n");
    }

    #[test]
    fn another_reader_reads_the_same_fields() {
        let mut csv = CsvRecords::default();
        let values = ["a\"b", "\"", "", "\r\n", "x,y", " z "];
        values.iter().for_each(|value| csv.field(Some(value.as_bytes())));
        csv.end_record();
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&csv.out[..]);
        assert_eq!(reader.records().next().unwrap().unwrap(), values.to_vec());
    }
}
