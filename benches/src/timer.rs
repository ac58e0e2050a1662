use crate::table::Question;
pub fn questions() -> Vec<Question> {
    vec![]
}
