/// What a separated or supplied bed holds: the document beside its sound.
struct BedRecord: Codable, Hashable, Sendable {
    /// Where it comes from.
    enum Origin: String, Codable, Hashable, Sendable {
        /// The source without its speech, by a model.
        case separated
        /// Music and effects by those who made the film.
        case supplied
    }

    /// Where it comes from.
    var origin: Origin
    /// Which channels of the source's layout its own channels stand for, in order; the others stay the source's.
    ///
    /// Two numbers of one: left and right are the same, and so is their bed.
    var channels: [Int]
    /// What its samples have to be multiplied by: they are written lower, so that none clips.
    var scale: Float = 2
    /// The model, of a separated one.
    var model: String?
}
