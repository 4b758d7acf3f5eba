import { mount } from 'svelte'
import './styles/base.css'
import './styles/controls.css'
import App from './App.svelte'
import { preferences } from './state/preferences.svelte'

preferences.apply()
const target = document.getElementById('app')
if (target) mount(App, { target })
