::core::compile_error! {
    "`Dish` has no id, so nothing tells its objects apart: a second run would add them again\nhelp: mark the field that identifies one: `#[adb(id)] name: T`"
}
const _: () = {
    use ::adb::__macro as _adb;
    #[automatically_derived]
    impl<T> _adb::DataModel for Dish<T> {
        const SCHEMA: &'static _adb::ModelSchema = &_adb::ModelSchema {
            name: "Dish",
            class: "Dish",
            kind: _adb::ObjectKind::Entity,
            doc: "",
            fields: &[],
        };
        fn build(
            &self,
            _: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            ::core::unreachable!()
        }
    }
};
::core::compile_error! {
    "unknown key `nam` on a descriptor set, expected one of `name`, `embedder`, `metric`, `engine`, `crate`\nhelp: did you mean `name`?"
}
const _: () = {
    use ::adb::__macro as _adb;
    #[automatically_derived]
    impl _adb::DescriptorSet for DishPhotos {
        type Embedder = _adb::AnyEmbedder;
        const SPEC: _adb::SetSpec = _adb::SetSpec::new::<
            _adb::AnyEmbedder,
        >("", _adb::Metric::Cosine, _adb::Engine::Flat);
    }
};
